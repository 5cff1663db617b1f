"""What every other folder stands on: formats, params, plugins, seeds, errors."""
