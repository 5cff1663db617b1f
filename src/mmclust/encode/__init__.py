"""From pictures and captions to features: the engine that runs the encoders."""
