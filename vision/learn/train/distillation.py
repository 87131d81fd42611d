"""Keep what a network knew while it learns something new (Li and Hoiem 2016, arXiv:1606.09282)."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, cast

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from vision.errors import ConfigError


class Rehearsal:
    """A frozen network whose scores of the classes that it shares are learnt beside the labels."""

    def __init__(
        self,
        known: torch.nn.Module,
        classes: tuple[str, ...],
        gain: float,
        *,
        bfloat16: bool = False,
    ) -> None:
        """Freeze a copy of the network.

        Args:
            known: Ultralytics' DetectionModel with the strides of the network that is trained.
            classes: Classes of the network that is trained, in the order of their ids.
            gain: Weight of the term beside the loss of the labels.
            bfloat16: Let the frozen network compute in bfloat16.

        Raises:
            ConfigError: The networks share no class.
        """
        old = {name: i for i, name in known.names.items()}
        shared = [(i, old[name]) for i, name in enumerate(classes) if name in old]
        if not shared:
            raise ConfigError("rehearse: the weights share no class with the data set")
        copied = deepcopy(known).float()
        copied.end2end = False
        self._known = copied.fuse(verbose=False).eval().requires_grad_(False)
        self._mine, self._theirs = (list(ids) for ids in zip(*shared, strict=True))
        self._gain = gain
        self._bfloat16 = bfloat16
        if bfloat16:
            self._known.to(memory_format=torch.channels_last)

    def term(self, images: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """The loss of one batch.

        Args:
            images: ``(b, 3, h, w)`` float32 RGB, 0 to 1.
            scores: ``(b, classes, anchors)`` logits of the network that is trained.

        Returns:
            Binary cross-entropy against the known network's scores, less its least possible value,
            summed and divided by the sum of these scores (as the loss of the labels is divided by
            the sum of its targets), times the gain.
        """
        self._known.to(images.device)
        kind = images.device.type
        if self._bfloat16:
            images = images.contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            with torch.autocast(kind, dtype=torch.bfloat16, enabled=self._bfloat16):
                raw = cast("dict[str, Any]", self._known(images)[1])
            wanted = raw.get("one2many", raw)["scores"][:, self._theirs].float().sigmoid()
            least = torch.special.entr(wanted) + torch.special.entr(1 - wanted)
        found = scores[:, self._mine]
        total = binary_cross_entropy_with_logits(found, wanted, reduction="sum") - least.sum()
        return self._gain * total / wanted.sum().clamp(min=1.0)
