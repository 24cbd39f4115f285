"""From files that were read to what prepare stores."""
