"""Documents from an HTTP endpoint that gives them page by page."""

from collections.abc import Iterator
from typing import Any

import httpx2
import msgspec

from drift_aware.actions import web
from drift_aware.actions.errors import ActionFailed
from drift_aware.actions.reindexing.documents import Document, of_row
from drift_aware.schema.reindexing import HttpSource


class Pages:
    """The pages of an endpoint, each named by the one before it.

    The token goes to the origin in the settings and nowhere else, so a next page elsewhere is an error.
    """

    remote = True

    def __init__(self, settings: HttpSource) -> None:
        self._settings = settings
        self._token = settings.token.get_secret_value() if settings.token else None
        self.described = f"the endpoint at {httpx2.URL(settings.url).host}"

    def documents(self) -> Iterator[Document]:
        """See Source."""
        address: httpx2.URL | None = httpx2.URL(self._settings.url)
        seen: set[str] = set()
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        with httpx2.Client(timeout=self._settings.timeout_seconds, headers=headers) as client:
            while address is not None:
                where = f"{self.described}, page {len(seen) + 1}"
                if str(address) in seen:
                    raise ActionFailed(f"{where} is one that came before; check `next` and `cursor`")
                seen.add(str(address))
                page = self._page(client, address, where)
                yield from self._rows(page, where)
                address = self._next(page, address, where)

    def _page(self, client: httpx2.Client, address: httpx2.URL, where: str) -> Any:
        def once() -> Any:
            response = web.send(client, client.build_request("GET", address), where, self._token)
            try:
                return msgspec.json.decode(response.content)
            except (msgspec.DecodeError, UnicodeDecodeError):
                raise web.Passing("the answer is no JSON") from None

        return web.patiently(once, self._settings.attempts, where)

    def _rows(self, page: Any, where: str) -> Iterator[Document]:
        items = _at(page, self._settings.items)
        if not isinstance(items, list):
            raise ActionFailed(f"{where} has no list at `{self._settings.items}`; set `items`")
        for number, item in enumerate(items, 1):
            yield of_row(item, self._settings.id, self._settings.text, f"{where}, item {number}")

    def _next(self, page: Any, address: httpx2.URL, where: str) -> httpx2.URL | None:
        told = _at(page, self._settings.next)
        if told in (None, "", False):
            return None
        if self._settings.cursor:
            return address.copy_set_param(self._settings.cursor, str(told))
        if not isinstance(told, str):
            raise ActionFailed(f"{where}: what stands at `{self._settings.next}` is no address; set `cursor`")
        following = address.join(told)
        if (following.scheme, following.host, following.port) != (address.scheme, address.host, address.port):
            raise ActionFailed(f"{where} names a next page on another host; it is not asked")
        return following


def _at(page: Any, path: str) -> Any:
    """What stands at a dotted path; None if nothing does.

    >>> _at({"page": {"next": 2}}, "page.next"), _at([1], ""), _at([1], "next")
    (2, [1], None)
    """
    for name in path.split(".") if path else ():
        page = page.get(name) if isinstance(page, dict) else None
    return page
