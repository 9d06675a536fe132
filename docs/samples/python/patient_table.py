"""A table of patients that repeats, restarts and erasures leave right.

Beside it stands each patient's last event number: without it a repeat could overwrite what came later, or bring an
erased person back.
"""

import json
import sqlite3
import sys
from collections import Counter
from typing import Iterable, NamedTuple, Optional

from message import PatientEvent, Refused, read_message

SCHEMA = """
  -- Overwrites what is deleted, so that an erased person is not left in the file's free pages.
  PRAGMA secure_delete = ON;
  PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS patients (
    id INTEGER PRIMARY KEY,
    nachname TEXT, vorname TEXT, status TEXT,
    patient TEXT NOT NULL -- all fields, as JSON
  );
  -- Numbers only, no personal data: a row stays when its patient is erased.
  CREATE TABLE IF NOT EXISTS last_events (
    patient_id INTEGER PRIMARY KEY,
    sequence INTEGER NOT NULL,
    erased INTEGER NOT NULL
  );
  -- Where messages stand that could not be read, never what they say.
  CREATE TABLE IF NOT EXISTS refused_messages (
    partition INTEGER NOT NULL,
    message_offset INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (partition, message_offset)
  );
"""


class Message(NamedTuple):
    partition: int
    offset: int
    value: Optional[bytes]
    trace: Optional[str]  # the header traceparent: by it the logs of the patient service tell what caused the event


class PatientTable:
    def __init__(self, file: str) -> None:
        # Waits for up to 5 s while another process writes. isolation_level=None: transactions begin where we say.
        self._db = sqlite3.connect(file, timeout=5, isolation_level=None)
        self._db.executescript(SCHEMA)

    def write(self, messages: Iterable[Message]) -> Counter:
        """Applies the messages in their order, all or none, and counts how they ended.

        Raises sqlite3.Error when the database cannot be written.
        """
        outcomes = Counter()
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for message in messages:
                outcomes[self._apply_message(message)] += 1
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        return outcomes

    def close(self) -> None:
        self._db.close()

    def _apply_message(self, message: Message) -> str:
        try:
            event = read_message(message.value)
        except Refused as reason:
            # It would fail each time. It is noted and passed over, so that the next messages are not held up.
            place = (message.partition, message.offset, str(reason))
            self._db.execute("INSERT OR IGNORE INTO refused_messages VALUES (?, ?, ?)", place)
            where = {"partition": message.partition, "offset": message.offset, "trace": message.trace}
            print(json.dumps({"refused": str(reason), **where}), file=sys.stderr)
            return "refused"
        return "ignored" if event is None else self._apply(event)

    def _apply(self, event: PatientEvent) -> str:
        known = self._db.execute(
            "SELECT sequence, erased FROM last_events WHERE patient_id = ?", (event.patient_id,)
        ).fetchone()
        # Nothing brings an erased patient back, whatever its number: ids are never given twice.
        if known is not None and known[1]:
            return "erased"
        if event.type == "patient.deleted":
            self._db.execute("DELETE FROM patients WHERE id = ?", (event.patient_id,))
            self._remember(event, erased=True)
            return "applied"
        if known is not None and event.sequence <= known[0]:
            return "repeated"
        if known is not None and event.sequence > known[0] + 1:
            # The state below is complete all the same. What is missing are the changes between.
            print(f"patient {event.patient_id}: event {event.sequence} follows {known[0]}", file=sys.stderr)
        # Without patient_data: an event of a type that this table does not need. Its number counts.
        if event.patient is not None:
            self._db.execute(
                "INSERT OR REPLACE INTO patients (id, nachname, vorname, status, patient) VALUES (?, ?, ?, ?, ?)",
                (event.patient_id, *event.patient),
            )
        self._remember(event, erased=False)
        return "applied"

    def _remember(self, event: PatientEvent, erased: bool) -> None:
        self._db.execute(
            """INSERT INTO last_events (patient_id, sequence, erased) VALUES (?, ?, ?)
               ON CONFLICT (patient_id)
               DO UPDATE SET sequence = max(sequence, excluded.sequence), erased = excluded.erased""",
            (event.patient_id, event.sequence, int(erased)),
        )
