"""Pictures and clips that someone else made: opened with care."""
