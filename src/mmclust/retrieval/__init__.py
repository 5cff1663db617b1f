"""Image-text retrieval with enlarged pools and finer captions."""
