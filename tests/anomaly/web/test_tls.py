"""TLS of a real service: files that are replaced while it runs, and client certificates that name their cluster."""

import http.client
import ssl
import time
from datetime import timedelta

import pytest
from cryptography import x509

from anomaly.store.access_log import Asked, list_entries
from anomaly.store.certificates import bind_name, unbind_name
from anomaly.store.clusters import add_cluster
from anomaly.web.tls import client_certificate
from tests.anomaly.web.authority import LOOPBACK, Authority
from tests.anomaly.web.people import a_token
from tests.anomaly.web.running import Service, batch, trusting
from tests.conftest import url_of

REFUSED = (OSError, http.client.HTTPException)


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def service(database, tmp_path, authority):
    """A service that takes client certificates of the authority; its own lies in server.crt."""
    certificate, key = authority.sign("server", LOOPBACK, file="server")
    clients = tmp_path / "clients.crt"
    clients.write_bytes(authority.file.read_bytes())
    files = {
        "ANOMALY_SERVE__TLS_CERT": str(certificate),
        "ANOMALY_SERVE__TLS_KEY": str(key),
        "ANOMALY_SERVE__TLS_CLIENT_CA": str(clients),
        "ANOMALY_JOBS__ENABLED": "false",
    }
    with Service(url_of(database), tmp_path, **files) as running:
        yield running


def test_a_client_certificate_names_its_cluster(service, database, authority):
    with database.begin() as connection:
        add_cluster(connection, "shop")
        bank = add_cluster(connection, "bank")
        bind_name(connection, "kube-apiserver-bank", bank, "test")
    ca = authority.file

    def client(*names, **given):
        return trusting(ca, *authority.sign(*names, **given))

    by_name = client("cluster:shop")
    assert service.post("shop", None, batch(2), context=by_name)[0] == 200
    there, _, _ = service.post("bank", None, batch(1), context=by_name)
    not_there, _, _ = service.post("nowhere", None, batch(1), context=by_name)
    assert there == not_there == 404
    by_uri = client("whoever", x509.UniformResourceIdentifier("cluster:shop"))
    assert service.post("shop", None, batch(1), context=by_uri)[0] == 200
    bound = client("kube-apiserver-bank")
    assert service.post("bank", None, batch(1), context=bound)[0] == 200
    by_dns = client("x", x509.DNSName("kube-apiserver-bank"))
    assert service.post("bank", None, batch(1), context=by_dns)[0] == 200
    # It sends events and may nothing else.
    assert service.ask("GET", "/v1/access", context=bound)[0] == 403

    for names in (("nobody",), ("cluster:nowhere",), ("shop",)):
        assert service.post("shop", None, batch(1), context=client(*names))[0] == 401
    # A token that is shown decides, whatever certificate lies beside it.
    token = a_token(database, "read").removeprefix("Bearer ")
    assert service.post("shop", token, batch(1), context=by_name)[0] == 403


def test_a_certificate_of_a_foreign_authority_or_one_that_has_ended_is_refused(
    service, database, authority, tmp_path
):
    with database.begin() as connection:
        add_cluster(connection, "shop")
    foreign = Authority(tmp_path, "foreign")
    imposter = Authority(tmp_path, "ca-again")
    imposter.name = authority.name
    for signed in (
        foreign.sign("cluster:shop"),
        imposter.sign("cluster:shop"),
        authority.sign("cluster:shop", lasts=timedelta(days=-1)),
    ):
        with pytest.raises(REFUSED):
            service.post("shop", None, batch(1), context=trusting(authority.file, *signed))


def test_people_and_programs_need_no_certificate(service, database, authority):
    plain = trusting(authority.file)
    assert service.get("/healthz", context=plain) == 200
    assert service.get("/login", context=plain) == 200
    token = {"Authorization": a_token(database, "read")}
    assert service.ask("GET", "/v1/me", headers=token, context=plain)[0] == 200
    assert service.ask("GET", "/v1/me", context=plain)[0] == 401


def test_a_name_that_is_unbound_opens_nothing_soon(service, database, authority):
    with database.begin() as connection:
        bind_name(connection, "apiserver", add_cluster(connection, "shop"), "test")
    context = trusting(authority.file, *authority.sign("apiserver"))
    assert service.post("shop", None, batch(1), context=context)[0] == 200
    with database.begin() as connection:
        unbind_name(connection, "apiserver")
    assert eventually(lambda: service.post("shop", None, batch(1), context=context)[0] == 401)


def test_a_certificate_that_is_replaced_is_used_without_a_restart(service, authority, tmp_path):
    before = serial(service, authority.file)
    line = service.connect(trusting(authority.file))
    line.request("GET", "/healthz")
    assert line.getresponse().read() == b"ok\n"

    (tmp_path / "server.crt").write_text("half a certific")
    assert eventually(lambda: service.said("new TLS files cannot be used yet; the old ones stay"))
    assert serial(service, authority.file) == before

    successor = Authority(tmp_path, "successor")
    successor.sign("server", LOOPBACK, file="server")
    assert eventually(lambda: service.said("TLS files were read again"))
    assert serial(service, successor.file) != before
    with pytest.raises(ssl.SSLCertVerificationError):
        service.get("/healthz", context=trusting(authority.file))
    # Who was connected goes on.
    line.request("GET", "/healthz")
    assert line.getresponse().read() == b"ok\n"
    line.close()


def test_an_authority_of_clients_that_is_replaced_counts_no_more(service, database, authority, tmp_path):
    with database.begin() as connection:
        add_cluster(connection, "shop")
    old = trusting(authority.file, *authority.sign("cluster:shop"))
    assert service.post("shop", None, batch(1), context=old)[0] == 200
    successor = Authority(tmp_path, "successor")
    (tmp_path / "clients.crt").write_bytes(successor.file.read_bytes())
    assert eventually(lambda: service.said("TLS files were read again"))
    with pytest.raises(REFUSED):
        service.post("shop", None, batch(1), context=old)
    new = trusting(authority.file, *successor.sign("cluster:shop"))
    assert service.post("shop", None, batch(1), context=new)[0] == 200


def test_what_a_certificate_did_not_get_is_kept(service, database, authority):
    context = trusting(authority.file, *authority.sign("cluster:nowhere"))
    assert service.post("nowhere", None, batch(1), context=context)[0] == 401

    def kept():
        with database.begin() as connection:
            return [one.entry.status for one in list_entries(connection, Asked())]

    assert eventually(lambda: 401 in kept())


def test_names_of_a_certificate_are_read():
    shown = {
        "subject": ((("organizationName", "x"),), (("commonName", "cluster:shop"),)),
        "subjectAltName": (
            ("DNS", "a.test"),
            ("IP Address", "10.0.0.1"),
            ("URI", "cluster:bank"),
            ("DNS", "a.test"),
        ),
        "notAfter": "Jan  1 00:00:00 2040 GMT",
    }
    found = client_certificate(shown)
    assert found.names == ("cluster:shop", "a.test", "cluster:bank")
    assert found.until.year == 2040
    assert client_certificate(None) is client_certificate({}) is None


def serial(service, ca):
    """The serial number of the certificate that a new connection is shown."""
    line = service.connect(trusting(ca))
    line.connect()
    found = line.sock.getpeercert()["serialNumber"]
    line.close()
    return found


def eventually(holds, within=30):
    """Whether something becomes so in time."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        if holds():
            return True
        time.sleep(0.1)
    return False
