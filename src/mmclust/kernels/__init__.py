"""Heavy arithmetic behind one function each."""
