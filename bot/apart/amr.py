"""WeChat's voices, which are AMR, as Opus in Ogg, which browsers play."""

from __future__ import annotations

import io
import resource
import sys

import av

SECONDS = 15
MEMORY = 1_000_000_000
HERTZ, BITS_A_SECOND = 16_000, 24_000


def _opus(content: bytes) -> bytes:
    written = io.BytesIO()
    with av.open(io.BytesIO(content), "r", format="amr") as voice, av.open(written, "w", format="ogg") as made:
        stream = made.add_stream("libopus", rate=HERTZ, layout="mono")
        stream.bit_rate = BITS_A_SECOND
        even = av.AudioResampler(format="s16", layout="mono", rate=HERTZ)
        for heard in voice.decode(audio=0):
            for frame in even.resample(heard):
                made.mux(stream.encode(frame))
        made.mux(stream.encode(None))
    return written.getvalue()


def _main() -> int:
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    try:
        sys.stdout.buffer.write(_opus(sys.stdin.buffer.read()))
    except (OSError, ValueError, MemoryError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main())
