"""What the scripts share: one module a noun, its test beside it."""
