"""What a cloud answers to questions that change nothing: asked, stripped of what is a person's, and saved as a profile."""
