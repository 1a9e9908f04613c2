"""Tensors on disk that look like tensors in memory: mapped, so that the operating
system brings their pages in and lets them go again."""

import mmap
import os
import tempfile

from .protocol import WorkerError

_SEGMENT = 1 << 32  # bytes of a file; it is sparse, and grows as it is written
_ALIGNMENT = 64
_SMALL = 4096  # bytes; what is smaller stays in memory


class Scratch:
    """Files in `folder` that have no name: whatever ends the process, they go."""

    def __init__(self, folder, torch, segment=_SEGMENT):
        self.torch = torch
        self.folder = folder
        self.written = 0
        self._segment = segment
        self._file = None
        self._map = None
        self._end = 0

    def _room_for(self, size, past):
        """The offset of `size` bytes in the file at hand, `past` an aligned one."""
        start = -(-self._end // _ALIGNMENT) * _ALIGNMENT + past
        if self._map is None or start + size > len(self._map):
            self._file = tempfile.TemporaryFile(dir=self.folder)
            length = max(self._segment, size + past)
            os.ftruncate(self._file.fileno(), length)
            self._map = mmap.mmap(self._file.fileno(), length)
            start = past
        self._end = start + size
        return start

    def _write(self, data, start):
        # Through the file, not through the map: a full disk is an error there, and
        # here a signal that kills.
        while data:
            done = os.pwrite(self._file.fileno(), data[: 1 << 24], start)
            data, start = data[done:], start + done

    def keep(self, tensor):
        """The same values, on disk."""
        torch = self.torch
        size = tensor.numel() * tensor.element_size()
        if size < _SMALL or tensor.device.type != "cpu":
            return tensor
        tensor = tensor.detach().contiguous()
        flat = tensor.reshape(-1).view(torch.uint8)
        try:
            # Kernels sum in another order where data lies otherwise.
            start = self._room_for(size, tensor.data_ptr() % _ALIGNMENT)
            self._write(memoryview(flat.numpy()), start)
        except OSError as error:
            gigabytes = self.written / 1e9
            raise WorkerError(
                "scratch-full",
                f"torch's weights do not fit into {self.folder}: {error.strerror} "
                f"after {gigabytes:.1f} GB",
            ) from error
        self.written += size
        mapped = torch.frombuffer(
            self._map, dtype=tensor.dtype, count=tensor.numel(), offset=start
        )
        return mapped.view(tensor.shape)
