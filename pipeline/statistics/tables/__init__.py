"""The functions that ``computed_by`` names: frames of parent tables in, one table out."""
