"""Mail, to a real SMTP server."""

from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import stamina

from drift_aware.actions.errors import ActionFailed
from drift_aware.schema.alerts import Alert
from drift_aware.schema.errors import Unreachable
from rig.certificates import Certificates, OpensslMissing
from rig.mailbox import PASSWORD, USER, Mailbox
from rig.services import missing
from rig.stories import PAGE, channel, story
from rig_events import alert


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as mailbox:
        yield mailbox


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=10, cap=True):
        yield


def mail(mailbox: Mailbox, **section: Any) -> Any:
    values = {"host": "127.0.0.1", "port": mailbox.port, "security": "none", "from": "drift@example.org"}
    return channel(email=values | {"to": ["ann@example.org", "bob@example.org"]} | section)


def part(letter: EmailMessage, kind: str) -> str:
    body = letter.get_body((kind,))
    assert body is not None
    content: str = body.get_content()
    return content


PLAIN = f"""refusals rose from 3 % to 12 %

segment            metric        before  now   events  since
app=<!channel>&co  refusal_rate  3 %     12 %  1234    2026-03-01 11:59 UTC

tune: proposed
Open the alert: {PAGE}/#/alerts/a1
Approve: tune: {PAGE}/#/actions/t1
"""


def test_a_letter_has_a_plain_and_an_html_part(mailbox: Mailbox) -> None:
    handle = mail(mailbox).send(story(), "k1")
    [letter] = mailbox.letters
    assert (letter["From"], letter["To"]) == ("drift@example.org", "ann@example.org, bob@example.org")
    assert letter["Subject"] == "[warning] refusal_rate in app=<!channel>&co"
    assert letter["Message-ID"] == "<k1@example.org>"
    assert letter["References"] is None
    assert handle == {"message_id": "<k1@example.org>"}
    assert part(letter, "plain").replace("\r\n", "\n") == PLAIN
    html = part(letter, "html")
    assert '<td style="padding:2px 12px 2px 0;text-align:left">app=&lt;!channel&gt;&amp;co</td>' in html
    assert f'<a href="{PAGE}/#/actions/t1">Approve: tune</a>' in html
    assert "<!channel>" not in html


def test_what_follows_stands_in_the_same_thread(mailbox: Mailbox) -> None:
    letters = mail(mailbox)
    handle = letters.send(story(), "k1")
    assert letters.update(story(alerts=[alert(1, status="resolved")]), "k2", handle) == handle
    first, second = mailbox.letters
    assert second["Message-ID"] == "<k2@example.org>"
    assert second["In-Reply-To"] == second["References"] == first["Message-ID"]
    assert second["Subject"].startswith("[resolved] ")


def test_a_letter_that_is_sent_again_is_the_same_letter(mailbox: Mailbox) -> None:
    letters = mail(mailbox)
    letters.send(story(), "k1")
    letters.send(story(), "k1")
    assert {letter["Message-ID"] for letter in mailbox.letters} == {"<k1@example.org>"}


@pytest.mark.parametrize(
    "fields",
    [{"segment": "app=x\r\nBcc: eve@example.org"}, {"metric": "m\nX-Evil: 1"}, {"summary": "é\n\n☃"}],
)
def test_no_name_adds_a_header(mailbox: Mailbox, fields: dict[str, str]) -> None:
    one: Alert = alert(1, **fields)
    mail(mailbox).send(story(alerts=[one]), "k1")
    [letter] = mailbox.letters
    assert letter["Bcc"] is None
    assert letter["X-Evil"] is None


def test_a_greylisting_server_is_asked_again(mailbox: Mailbox) -> None:
    mailbox.replies = ["451 come back later", "250 OK"]
    mail(mailbox).send(story(), "k1")
    assert len(mailbox.letters) == 1


def test_a_letter_that_is_refused_is_not_sent_again(mailbox: Mailbox) -> None:
    mailbox.replies = ["554 no"]
    with pytest.raises(ActionFailed, match=r"SMTP 554"):
        mail(mailbox).send(story(), "k1")
    assert mailbox.letters == []


def test_one_address_of_two_that_is_refused_is_named(mailbox: Mailbox) -> None:
    mailbox.refused = {"bob@example.org"}
    assert mail(mailbox).send(story(), "k1")["refused"] == ["bob@example.org"]
    mailbox.refused = {"ann@example.org", "bob@example.org"}
    with pytest.raises(ActionFailed, match=r"check notify\.email\.to"):
        mail(mailbox).send(story(), "k1")


def test_a_server_that_is_away_may_come_back(mailbox: Mailbox) -> None:
    with pytest.raises(Unreachable, match=r"check notify\.email\.host and port"):
        mail(mailbox, port=9).send(story(), "k1")


def test_a_server_without_starttls_gets_no_letter(mailbox: Mailbox) -> None:
    with pytest.raises(ActionFailed, match="offers no STARTTLS"):
        mail(mailbox, security="starttls").send(story(), "k1")
    assert mailbox.letters == []


def test_a_login_goes_over_tls_to_a_server_that_is_who_it_should_be(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    try:
        certificates = Certificates(tmp_path)
    except OpensslMissing as error:
        missing(str(error))
    section = {"security": "starttls", "user": USER, "password": PASSWORD, "ca_file": certificates.ca}
    with Mailbox((certificates.broker, tmp_path / "broker.key")) as mailbox:
        mail(mailbox, **section).send(story(), "k1")
        assert len(mailbox.letters) == 1
        with pytest.raises(ActionFailed, match="certificate is not accepted"):
            mail(mailbox, **section | {"ca_file": certificates.another_ca}).send(story(), "k1")
        with pytest.raises(ActionFailed, match=r"SMTP 535") as caught:
            mail(mailbox, **section | {"password": PASSWORD + "x"}).send(story(), "k1")
    said = capfd.readouterr()
    assert PASSWORD not in str(caught.value) + said.out + said.err
    assert len(mailbox.letters) == 1
