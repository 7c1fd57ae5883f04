"""An OpenLDAP server on this machine."""

from __future__ import annotations

import contextlib
import datetime
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.unit.authority import Authority
from tests.waiting import until

BASE = "dc=example,dc=org"
ADMIN, HUB, PASSWORD = f"cn=admin,{BASE}", f"cn=hub,{BASE}", "of-the-account-that-looks-users-up"
GROUP = f"cn=lab,ou=groups,{BASE}"
PEOPLE = f"ou=people,{BASE}"
ENTRIES = f"""\
dn: {BASE}
objectClass: dcObject
objectClass: organization
o: example

dn: {HUB}
objectClass: organizationalRole
objectClass: simpleSecurityObject
userPassword: {PASSWORD}

dn: {PEOPLE}
objectClass: organizationalUnit

dn: ou=groups,{BASE}
objectClass: organizationalUnit

dn: uid=ada,{PEOPLE}
objectClass: inetOrgPerson
cn: Ada Lovelace
sn: Lovelace
userPassword: analytical

dn: uid=ben,{PEOPLE}
objectClass: inetOrgPerson
cn: Ben
sn: Ben
userPassword: of-ben-alone

dn: {GROUP}
objectClass: groupOfNames
member: uid=ada,{PEOPLE}
"""


class Slapd:
    """`port` without TLS (StartTLS works), `secure` with it. `name`: in its certificate; `listen`: an address of this machine."""

    def __init__(
        self,
        folder: Path,
        authority: Authority,
        *,
        expired: bool = False,
        name: str = "localhost",
        listen: str = "localhost",
    ) -> None:
        program = shutil.which("slapd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
        assert program, "install slapd"
        self.program, self.folder, self.listen = Path(program), folder, listen
        authority.ahead = datetime.timedelta(days=-3 if expired else 0)
        certificate, key = authority.issue(name)
        (folder / "ca.pem").write_text(authority.pem)
        (folder / "certificate.pem").write_text(certificate)
        (folder / "key.pem").write_text(key)
        (folder / "data").mkdir()
        (folder / "data.ldif").write_text(ENTRIES)
        self.config = folder / "slapd.conf"
        self.config.write_text(self._config())
        self.port, self.secure = _free_port(listen), _free_port(listen)

    def _config(self) -> str:
        root = self.program.parents[2]
        return f"""\
modulepath {root}/usr/lib/ldap
moduleload back_mdb
include {root}/etc/ldap/schema/core.schema
include {root}/etc/ldap/schema/cosine.schema
include {root}/etc/ldap/schema/inetorgperson.schema
TLSCACertificateFile {self.folder}/ca.pem
TLSCertificateFile {self.folder}/certificate.pem
TLSCertificateKeyFile {self.folder}/key.pem
database mdb
maxsize 1048576
suffix {BASE}
rootdn {ADMIN}
directory {self.folder}/data
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{HUB}" read by dn.children="{PEOPLE}" read by * auth
"""

    @contextlib.contextmanager
    def running(self) -> Iterator[Slapd]:
        add = (self.program, "-T", "add", "-f", self.config, "-l", self.folder / "data.ldif")
        subprocess.run(add, check=True, capture_output=True)
        urls = f"ldap://{self.listen}:{self.port} ldaps://{self.listen}:{self.secure}"
        with (self.folder / "log").open("wb") as log:
            process = subprocess.Popen([self.program, "-f", self.config, "-h", urls, "-d", "0"], stderr=log)
        try:
            until(self._answers, pause=0.05)
            yield self
        finally:
            process.terminate()
            process.wait(30)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((self.listen, self.secure), timeout=1):
            return True
        return False


def _free_port(address: str) -> int:
    with socket.socket() as unused:
        unused.bind((address, 0))
        port: int = unused.getsockname()[1]
        return port
