"""Built benchmarks in the layouts that other programs read: raw, csv, mat, hf."""
