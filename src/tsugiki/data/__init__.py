"""Photos in: whatever a person names becomes :class:`~tsugiki.data.samples.Samples`."""
