"""WeChat's voices, which are AMR, as Opus in Ogg, which browsers play."""

from __future__ import annotations

import io

import av

HERTZ, BITS_A_SECOND = 16_000, 24_000


def kept(content: bytes) -> bytes:
    """The same sound."""
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
