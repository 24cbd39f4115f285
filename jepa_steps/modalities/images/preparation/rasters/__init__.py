"""Images as their files hold them: any number of channels, any type, read whole or a window at a
time."""
