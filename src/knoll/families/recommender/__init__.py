"""Recommend items to users, by what they and others have taken."""
