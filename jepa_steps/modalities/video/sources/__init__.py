"""Where videos come from: files by class folder or table, folders of frames, arrays, moving digits."""
