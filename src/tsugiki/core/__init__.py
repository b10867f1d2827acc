"""What everything stands on: errors, console and events, whole files, downloads, validation, seeds, devices, processes."""
