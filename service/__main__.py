"""The command ``jiexu``, also ``python -m service``."""

from __future__ import annotations

import gc


def main() -> None:
    """Entry point of the distribution.

    Nothing of what is imported is garbage, so none is looked for meanwhile, nor among it later:
    that would take more than a tenth of a second.
    """
    gc.disable()
    from service.cli import main as run

    gc.freeze()
    gc.enable()
    run()


if __name__ == "__main__":
    main()
