"""Videos: files, folders of frames and arrays, cut into clips that tubelets of pixels make tokens of."""
