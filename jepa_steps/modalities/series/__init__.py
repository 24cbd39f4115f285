"""Time series: recordings of one or several channels, whole or in windows."""
