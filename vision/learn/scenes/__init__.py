"""Scene maker: seeded, code-drawn streets and building sites with exact truth."""

from vision.learn.scenes.clip import render_clip, truth_path
from vision.learn.scenes.preset import ScenePreset, load_preset, preset_names
from vision.learn.scenes.scene import Scene
from vision.learn.scenes.training import training_frames
from vision.learn.scenes.truth import CLASS_NAMES, SceneTruth, TruthBox, TruthEvent

__all__ = [
    "CLASS_NAMES",
    "Scene",
    "ScenePreset",
    "SceneTruth",
    "TruthBox",
    "TruthEvent",
    "load_preset",
    "preset_names",
    "render_clip",
    "training_frames",
    "truth_path",
]
