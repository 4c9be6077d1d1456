"""Pure numeric functions that SQL cannot say: arrays in, numbers out; no clock, no files."""
