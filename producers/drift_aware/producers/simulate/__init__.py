"""A chat application that does not exist: its texts, its vectors, its moods."""
