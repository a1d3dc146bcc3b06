"""Texts in classes: n-grams that speak for a class, and a small convolutional network over tokens."""
