"""Addresses and TLS files that cannot be used are said plainly, before anything is served."""

import socket

import pytest

from anomaly.errors import AnomalyError, SettingsInvalid
from anomaly.settings import ServeSettings
from anomaly.web.server import bind
from anomaly.web.tls import tls_context
from tests.anomaly.web.running import Service
from tests.conftest import url_of


def test_a_port_that_is_taken_is_said_with_the_settings_that_help():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AnomalyError, match=f"port {port} cannot be listened on") as refused:
            bind(ServeSettings(port=port))
    assert "ANOMALY_SERVE__PORT" in refused.value.hint


def test_an_address_that_is_not_of_this_machine_is_refused():
    with pytest.raises(AnomalyError, match=r"192\.0\.2\.1 port"):
        bind(ServeSettings(host="192.0.2.1", port=0))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "::"])
def test_both_families_can_be_listened_on(host):
    with bind(ServeSettings(host=host, port=0)) as listening:
        assert listening.getsockname()[1] > 0


def test_a_certificate_that_is_not_there_is_named(tmp_path):
    options = ServeSettings(tls_cert=tmp_path / "no.crt", tls_key=tmp_path / "no.key")
    with pytest.raises(SettingsInvalid, match=r"no\.crt\) cannot be used: No such file"):
        tls_context(options)


def test_a_certificate_that_is_none_is_named(tmp_path):
    (tmp_path / "x.crt").write_text("no certificate")
    (tmp_path / "x.key").write_text("no key")
    with pytest.raises(SettingsInvalid, match=r"x\.crt\) cannot be used"):
        tls_context(ServeSettings(tls_cert=tmp_path / "x.crt", tls_key=tmp_path / "x.key"))


def test_listening_for_others_without_tls_is_warned_about(database, tmp_path):
    with Service(url_of(database), tmp_path, ANOMALY_SERVE__HOST="0.0.0.0") as service:
        assert service.get("/healthz") == 200
        assert [line for line in service.log if "without TLS" in line and '"warning"' in line]


def test_listening_for_this_machine_alone_is_not(database, tmp_path):
    with Service(url_of(database), tmp_path) as service:
        assert service.get("/readyz") == 200
        assert not [line for line in service.log if "without TLS" in line]
