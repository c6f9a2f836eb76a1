"""A TCP proxy that keeps every byte for a while, each way, and does not limit how many are on their way."""
import argparse
import asyncio
import multiprocessing
import socket
import time

CHUNK = 256 * 1024
ON_THE_WAY = 64 * 1024 * 1024  # bytes; a link of 5 ms holds them at 100 Gbit/s


class Direction:
    """From one socket to another: read at once, written when due. Order is kept."""

    def __init__(self, reader, writer, delay):
        self.reader, self.writer, self.delay = reader, writer, delay
        self.due, self.bytes, self.space = asyncio.Queue(), 0, asyncio.Event()

    async def read(self):
        while True:
            chunk = await self.reader.read(CHUNK)
            self.due.put_nowait((time.monotonic() + self.delay, chunk))
            if not chunk:
                return
            self.bytes += len(chunk)
            while self.bytes > ON_THE_WAY:
                self.space.clear()
                await self.space.wait()

    async def write(self):
        while True:
            when, chunk = await self.due.get()
            wait = when - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            if not chunk:
                self.writer.close()
                return
            self.writer.write(chunk)
            await self.writer.drain()
            self.bytes -= len(chunk)
            self.space.set()

    async def run(self):
        try:
            await asyncio.gather(self.read(), self.write())
        except OSError:  # either end is gone: so is the other
            self.writer.close()


async def serve(listener, port, delay):
    async def connect(reader, writer):
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port, limit=CHUNK)
        except OSError:
            writer.close()
            return
        for end in (writer, far_writer):
            end.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.gather(Direction(reader, far_writer, delay).run(), Direction(far_reader, writer, delay).run())

    server = await asyncio.start_server(connect, sock=listener, limit=CHUNK)
    async with server:
        await server.serve_forever()


def run(listener, port, delay):
    asyncio.run(serve(listener, port, delay))


class Proxy:
    """In a process of its own while `with` lasts; `port` is where it listens."""

    def __init__(self, port, delay_ms):
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        self.process = multiprocessing.Process(target=run, args=(listener, port, delay_ms / 1000), daemon=True)
        self.process.start()
        listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.join()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("listen", type=int)
    parser.add_argument("port", type=int)
    parser.add_argument("delay_ms", type=float)
    options = parser.parse_args()
    run(socket.create_server(("127.0.0.1", options.listen)), options.port, options.delay_ms / 1000)


if __name__ == "__main__":
    main()
