"""What the tests of the yard read: made-up runs."""
