"""Who may come in: the names that this server answers to, the origins it trusts, and whether people sign in.

Knows addresses of this machine. Does not know requests, sessions or pages.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import psutil

from exdd_core.errors import BadInput

Role = Literal["viewer", "curator", "admin"]
ROLES: tuple[Role, ...] = ("viewer", "curator", "admin")  # each may do what those before it may
LOOPBACK = ("127.0.0.1", "localhost", "::1", "[::1]")
UPLOAD = 2 << 30  # bytes of one upload, unless the start says otherwise: a data set of a few thousand images


@dataclass(frozen=True)
class Oidc:
    """A provider of OpenID Connect. issuer: its address without a / at the end. client: our name there.

    claim: of the ID token, with the roles; dots lead inwards, as in realm_access.roles.
    """

    issuer: str
    client: str
    claim: str = "roles"

    @property
    def host(self) -> str:
        """Its name for people."""
        return urlsplit(self.issuer).netloc


@dataclass(frozen=True)
class Doors:
    """How a server is reached and what it lets in.

    hosts: the names that a request may give as Host. origins: further origins, as https://name, that pages are
    shown under: that of a reverse proxy. token: what the address must carry once; "" for none. sign_in: people
    have accounts in the workspace. guest: the role of whoever has not signed in; None lets nobody in without.
    folders: pages may name folders below these. largest_upload: in bytes. root: the prefix of every address, as
    /exdd, that a reverse proxy shows the pages under; "" for none. proxies: addresses whose forwarded headers count.
    oidc: a service that people may sign in by, besides accounts with passwords. mcp: whether tools are offered by MCP.
    framed_by: origins of sites that may show pages inside of theirs.
    """

    hosts: tuple[str, ...] = LOOPBACK
    origins: tuple[str, ...] = ()
    token: str = ""
    sign_in: bool = False
    guest: Role | None = "admin"
    folders: tuple[Path, ...] = (Path("/"),)
    largest_upload: int = UPLOAD
    root: str = ""
    proxies: tuple[str, ...] = ()
    oidc: Oidc | None = None
    mcp: bool = False
    framed_by: tuple[str, ...] = ()

    @classmethod
    def on(
        cls,
        host: str,
        *,
        address: str = "",
        token: str = "",
        sign_in: bool = False,
        read_only: bool = False,
        folders: tuple[Path, ...] | None = None,
        root: str = "",
        proxies: tuple[str, ...] = (),
        oidc: Oidc | None = None,
        mcp: bool = False,
    ) -> Doors:
        """The doors of a server that listens on `host`.

        address: under which a reverse proxy shows it, as https://inspect.example. read_only: who has not signed in
        may look at everything and change nothing. Raises BadInput where a server that other machines reach would
        let anybody do everything.
        """
        sign_in = sign_in or oidc is not None
        own = is_loopback(host)
        if not own and not (sign_in or token or read_only):
            raise BadInput(
                f"Other machines can reach {host}, so users must sign in: create an account with "
                "'python -m exdd_core users add NAME --role admin' and start with --sign-in; or use --token, or "
                "--read-only, with which nobody can change anything."
            )
        doors = cls(
            token=token, sign_in=sign_in, root=_root(root), proxies=_addresses(proxies), oidc=oidc, mcp=mcp
        )
        if not own:
            doors = replace(doors, hosts=(*LOOPBACK, *_names_of_this_machine(host)), folders=())
        if address:
            parts = urlsplit(address)
            if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
                raise BadInput(
                    f'"{address}" is not a valid address of the workbench; write it as https://name.'
                )
            origin = f"{parts.scheme}://{parts.netloc}".lower()
            doors = replace(doors, hosts=(*doors.hosts, parts.hostname), origins=(origin,))
        if folders is not None:
            if strange := [folder for folder in folders if not folder.expanduser().is_dir()]:
                raise BadInput(f"--folders: {strange[0]} is not a folder; name folders that exist.")
            doors = replace(doors, folders=tuple(folder.expanduser().resolve() for folder in folders))
        guest: Role | None = "viewer" if read_only else None if sign_in or token else "admin"
        return replace(doors, guest=guest)


def _root(root: str) -> str:
    """A prefix with a / in front and none at the end; "" for none."""
    bare = root.strip("/")
    if bare and not re.fullmatch(r"[\w.~-]+(/[\w.~-]+)*", bare, re.ASCII):
        raise BadInput(f'"{root}" is not a valid path prefix; write it as /exdd.')
    return f"/{bare}" if bare else ""


def provider(issuer: str, client: str, claim: str) -> Oidc | None:
    """The provider of these options; None without them. Raises `BadInput`."""
    if not issuer and not client:
        return None
    parts = urlsplit(issuer)
    if not client or not parts.hostname:
        raise BadInput(
            "OpenID Connect needs both --oidc-issuer, such as https://login.example, and --oidc-client."
        )
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        raise BadInput(f"{issuer} is not encrypted; the provider's address must begin with https://.")
    return Oidc(issuer.rstrip("/"), client, claim)


def _addresses(proxies: tuple[str, ...]) -> tuple[str, ...]:
    for one in proxies:
        try:
            ipaddress.ip_address(one)
        except ValueError:
            raise BadInput(f'"{one}" is not a valid proxy address; write it as 10.0.0.7.') from None
    return proxies


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address or a name."""
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        return False
    return bool(found) and all(ipaddress.ip_address(str(at).split("%")[0]).is_loopback for at in found)


def _names_of_this_machine(host: str) -> list[str]:
    """Addresses and names under which other machines reach a server on `host`.

    A page of another site can point its own name at any address (DNS rebinding), so names are listed one by one.
    """
    names = {socket.gethostname().lower(), socket.getfqdn().lower()}
    for addresses in psutil.net_if_addrs().values():
        for one in addresses:
            if one.family in (socket.AF_INET, socket.AF_INET6):
                bare = one.address.split("%")[0]
                names |= {bare, f"[{bare}]"} if one.family == socket.AF_INET6 else {bare}
    if host not in ("0.0.0.0", "::"):
        names.add(host.lower())
    return sorted(names)
