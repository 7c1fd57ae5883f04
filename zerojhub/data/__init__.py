"""Users' data: whose a volume is, keeping it when its cluster goes, and giving it back on another."""
