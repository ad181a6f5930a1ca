"""A process of its own that opens one PDF from stdin: `count` writes how many pages, `page N` writes a PNG.

The library behind it is written in C and the file comes from a stranger, so it runs with little memory and
time, no way to write a file, and nothing of ours in its address space.
"""

import resource
import sys
from io import BytesIO

_LONGEST_SIDE = 1600  # px
_SECONDS = 15
_BYTES = 1536 * 1024 * 1024


def main(question: str, number: int) -> bytes:
    import pypdfium2

    document = pypdfium2.PdfDocument(sys.stdin.buffer.read())
    if question == "count":
        return str(len(document)).encode()
    page = document[number - 1]
    scale = _LONGEST_SIDE / max(page.get_width(), page.get_height())
    out = BytesIO()
    page.render(scale=scale).to_pil().convert("RGB").save(out, "PNG")
    return out.getvalue()


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    if sys.platform == "linux":  # elsewhere the limit cannot be set
        resource.setrlimit(resource.RLIMIT_AS, (_BYTES, _BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    sys.stdout.buffer.write(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1))
