"""Pure: a ModelCache in, its children, what is to be written, and its status out."""
