"""The compiled twin of decode, and of the frames in source."""
