"""The recipe file of a set of composites: backgrounds, things, and what a picture gets of them."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(gt=0)]
Metres = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=0, le=12)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class View(_Strict):
    """How a camera looks at the ground where its own vehicle boxes do not tell.

    Attributes:
        horizon: Row of the horizon as a fraction of the height; negative where it is above.
        camera_height_m: Height of the camera above the ground.
    """

    horizon: Annotated[float, Field(ge=-4, le=0.9)]
    camera_height_m: Metres


class Background(_Strict):
    """A folder of pictures that things are pasted onto.

    Attributes:
        path: Folder relative to a root.
        stems: Regular expression that the file stem has to match.
        share: Weight against the other backgrounds of a scene.
        camera: Regular expression on the stem; pictures whose first group agrees are of one fixed
            camera, and their vehicle boxes are pooled to learn its view.
        vehicles: Classes whose boxes tell the scale.
        view: Used where there are too few vehicle boxes; without it such pictures are left out.
        drop: Classes whose boxes do not go into the composites' labels.
    """

    path: str
    stems: str | None = None
    share: Share = 1.0
    camera: str | None = None
    vehicles: tuple[str, ...] = ()
    view: View | None = None
    drop: tuple[str, ...] = ()


class CutoutSource(_Strict):
    """A folder of pictures whose labelled things are cut out.

    Attributes:
        path: Folder relative to a root.
        label: Class of the source.
        share: Weight against the other sources of the thing.
        stretched: The pictures lost their aspect; a likely one is given back.
    """

    path: str
    label: str
    share: Share = 1.0
    stretched: bool = False


class CutoutThing(_Strict):
    """Something cut out of pictures.

    Attributes:
        make: ``cutout``.
        label: Class in the composites.
        sources: Where from.
        outline: ``compact`` bodies are refused when their mask is ragged; ``loose`` ones (heaps)
            may be; ``white`` stands before white.
        measure: What ``size_m`` says: the ``height``, the ``width``, or the root of width times
            height (``extent``; 2.2 m for a car from any side).
        size_m: Range of the size.
        place: ``road`` is open ground, ``kerb`` the border of it.
        side_px: Least and largest longer side in the composite's pixels.
    """

    make: Literal["cutout"]
    label: str
    sources: tuple[CutoutSource, ...]
    outline: Literal["compact", "loose", "white"] = "compact"
    measure: Literal["height", "width", "extent"] = "height"
    size_m: tuple[Metres, Metres]
    place: Literal["road", "kerb"] = "kerb"
    side_px: tuple[int, int] = (18, 260)


class DrawnThing(_Strict):
    """Something that the scene maker draws, seen by the background's camera.

    Attributes:
        make: ``stall`` (with its seller, labelled ``person``), ``person``, ``heap``, ``excavator``,
            ``loader``, ``muck_truck`` or ``cone``.
        label: Class in the composites.
        place: ``road`` or ``kerb``.
        side_px: Least and largest longer side in the composite's pixels.
    """

    make: Literal["stall", "person", "heap", "excavator", "loader", "muck_truck", "cone"]
    label: str
    place: Literal["road", "kerb"] = "kerb"
    side_px: tuple[int, int] = (14, 300)


class GroundThing(_Strict):
    """A patch of ground moved or taken from another background: a paste without a label."""

    make: Literal["ground"]
    size_m: tuple[Metres, Metres] = (0.8, 3.5)
    side_px: tuple[int, int] = (14, 220)


class PanelsThing(_Strict):
    """A row of hoarding panels with gaps; every run between gaps is one box.

    Attributes:
        make: ``panels``.
        label: Class in the composites.
        textures: Sources whose labelled boxes lend real surfaces.
        real_share: How many rows have a real surface instead of a drawn one.
        height_m: Range of the height.
        gap_share: Chance that a panel is missing.
    """

    make: Literal["panels"]
    label: str
    textures: tuple[CutoutSource, ...] = ()
    real_share: Annotated[float, Field(ge=0, le=1)] = 0.3
    height_m: tuple[Metres, Metres] = (1.8, 2.6)
    gap_share: Annotated[float, Field(ge=0, le=0.8)] = 0.15


class PlumeThing(_Strict):
    """Something in the air.

    Attributes:
        make: ``dust``, or one of its look-alikes: ``steam``, ``exhaust``, ``haze``, ``glare``.
        label: Class in the composites; none for look-alikes.
    """

    make: Literal["dust", "steam", "exhaust", "haze", "glare"]
    label: str | None = None


Thing = Annotated[
    CutoutThing | DrawnThing | GroundThing | PanelsThing | PlumeThing, Field(discriminator="make")
]


class SceneKind(_Strict):
    """What one kind of composite holds.

    Attributes:
        share: Weight against the other kinds.
        backgrounds: Paths of the backgrounds it is made on; all if empty.
        things: Thing to the least and largest number of it in a picture.
        negative: It holds none of the classes that the composites are made for.
    """

    share: Share
    backgrounds: tuple[str, ...] = ()
    things: dict[str, tuple[Count, Count]]
    negative: bool = False


class ComposeRecipe(_Strict):
    """A recipe file of composites.

    Attributes:
        name: Name of the set.
        count: How many pictures are made if nobody says.
        longest_side: Longest side of the pictures in pixels.
        classes: Class names in the order of their ids; backgrounds' own classes included.
        wanted: Classes that the composites are made for.
        backgrounds: What is pasted onto.
        things: What is pasted, by name.
        scenes: Kinds of composites by name.
    """

    name: str
    count: Annotated[int, Field(ge=1)] = 1000
    longest_side: Annotated[int, Field(ge=160, le=1920)] = 640
    classes: tuple[str, ...]
    wanted: tuple[str, ...]
    backgrounds: tuple[Background, ...]
    things: dict[str, Thing]
    scenes: dict[str, SceneKind]

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        for name in self.wanted:
            if name not in self.classes:
                raise ValueError(f"wanted: {name} is not in classes")
        for name, thing in self.things.items():
            label = None if isinstance(thing, GroundThing) else thing.label
            if (
                isinstance(thing, DrawnThing)
                and thing.make == "stall"
                and ("person" not in self.classes)
            ):
                raise ValueError(f"things.{name}: a stall has a person, which is not in classes")
            if label is not None and label not in self.classes:
                raise ValueError(f"things.{name}: {label} is not in classes")
        paths = {b.path for b in self.backgrounds}
        for name, scene in self.scenes.items():
            for thing_name, (least, most) in scene.things.items():
                if least > most:
                    raise ValueError(f"scenes.{name}.{thing_name}: least is above most")
                if thing_name not in self.things:
                    raise ValueError(f"scenes.{name}: no thing named {thing_name}")
                made = self.things[thing_name]
                if (
                    scene.negative
                    and not isinstance(made, GroundThing)
                    and (made.label in self.wanted)
                ):
                    raise ValueError(f"scenes.{name}: negative, but {thing_name} is {made.label}")
            if missing := set(scene.backgrounds) - paths:
                raise ValueError(f"scenes.{name}: no background {', '.join(sorted(missing))}")
        if self.scenes and not any(scene.negative for scene in self.scenes.values()):
            raise ValueError("scenes: none is negative, so the trace of pasting would tell")
        return self
