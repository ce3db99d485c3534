"""``act`` and ``actions`` as processes: two at once, stopped in the middle, and with nothing leaving in a dry run."""

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from drift_aware.actions import ledger
from drift_aware.actions.policy import Decision, action_id
from drift_aware.sql import store
from drift_aware.sql.store import Connection
from rig import commanded
from rig.brokers import Broker
from rig.commands import Command
from rig.services import wait_until
from rig_events import alert, publish_alerts
from test_act_records import published

Start = Callable[..., Command]
