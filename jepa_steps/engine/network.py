"""Which network interface the processes of several machines talk over.

gloo listens on the address of the own host name, which is 127.0.1.1 on Debian and its kin: other
machines cannot connect to that. Here the interface is the one that leads to the machine where the ranks
meet.
"""

import os
import socket

import psutil
import torch.distributed as dist

VARIABLE = "GLOO_SOCKET_IFNAME"


def choose_interface(store: dist.Store, rank: int, size: int) -> None:
    """Set gloo's interface, where several machines take part and the user has not; all ranks call it.

    Every rank tells by which of its addresses it reaches the meeting point, and which address that has
    from there. On the machine of the meeting point the name may lead to itself; that one takes the
    address under which the others see it.
    """
    mine = "" if os.environ.get(VARIABLE) else " ".join((socket.gethostname(), *_route()))
    store.set(f"route/{rank}", mine)
    routes = [store.get(f"route/{other}").decode().split() for other in range(size)]
    if not mine or len({route[0] for route in routes if route}) < 2:
        return
    own, seen = mine.split()[1], [route[2] for route in routes if route]
    for address in (own, *seen):
        name = interface_of(address)
        if name and not address.startswith("127."):
            os.environ[VARIABLE] = name
            return


def _route() -> tuple[str, str]:
    """(address of this machine from which the meeting point is reached, address of that); no packet is
    sent."""
    host, port = os.environ.get("MASTER_ADDR", "127.0.0.1"), int(os.environ.get("MASTER_PORT", "1"))
    for family, kind, _, _, place in socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM):
        with socket.socket(family, kind) as probe:
            try:
                probe.connect(place)
            except OSError:
                continue
            return probe.getsockname()[0], place[0]
    return "127.0.0.1", "127.0.0.1"


def interface_of(address: str) -> str | None:
    """Name of the interface that has an address."""
    for name, addresses in psutil.net_if_addrs().items():
        if any(one.address.split("%")[0] == address for one in addresses):
            return name
    return None
