"""Its place puts this folder on the import path, for what several rooms' tests share."""
