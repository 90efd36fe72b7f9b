"""Files that survive a power cut: their content reaches the disk before their name does.

After a power cut, a file system may have the new name of a file and none of its content. So a writer flushes the
content, renames the file, and flushes the folder. On a local disk this takes a millisecond a file.
"""

import errno
import os
from pathlib import Path


def flush_to_disk(path: str | Path) -> None:
    """Wait until the content of a file, or the list of names in a folder, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems cannot flush a folder, and need not
            raise
    finally:
        os.close(descriptor)
