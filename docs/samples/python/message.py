"""Reads one message of patient-events: what it says, or why it cannot be read."""

import json
import re
from typing import NamedTuple, Optional

TYPES_WITH_PATIENT = {"patient.created", "patient.updated", "patient.status_changed"}
TYPES_WITHOUT_PATIENT = {"patient.therapist_excluded", "patient.deleted"}


class PatientData(NamedTuple):
    nachname: Optional[str]
    vorname: Optional[str]
    status: Optional[str]  # as text: 1.x may add values to a closed list
    json: str  # all fields


class PatientEvent(NamedTuple):
    type: str
    patient_id: int
    sequence: int  # the patient's own event number
    patient: Optional[PatientData]  # the whole patient after the change, where the event carries it


class Refused(Exception):
    """A fault that somebody has to look at. Its text says why, and nothing of the message."""


def read_message(value: Optional[bytes]) -> Optional[PatientEvent]:
    """None: of no use to this reader, and no fault. Raises Refused."""
    if value is None:  # A tombstone. This service sends none.
        return None
    try:
        event = json.loads(value.decode("utf-8"))
    except (ValueError, RecursionError):
        # Without the cause: the parser's own message may quote a person's data.
        raise Refused("not JSON") from None
    if not isinstance(event, dict):
        raise Refused("no envelope")
    event_type, version = event.get("eventType"), event.get("version")
    if not isinstance(event_type, str) or not isinstance(version, str):
        raise Refused("no envelope")
    # 1.x only adds keys, types and values. Another major version may mean something else by the same key.
    if not re.fullmatch(r"1(\.[0-9]+)?", version):
        raise Refused("unknown version")

    payload = event.get("payload")
    payload = payload if isinstance(payload, dict) else {}
    sequence, patient_id = event.get("sequence"), payload.get("patient_id")
    with_patient = event_type in TYPES_WITH_PATIENT
    if not _is_positive(sequence) or not _is_positive(patient_id):
        if with_patient or event_type in TYPES_WITHOUT_PATIENT:
            raise Refused("no patient_id or sequence")
        return None
    if not with_patient:
        return PatientEvent(event_type, patient_id, sequence, None)
    patient = _read_patient(payload.get("patient_data"), patient_id)
    return PatientEvent(event_type, patient_id, sequence, patient)


def _read_patient(patient: object, patient_id: int) -> PatientData:
    if not isinstance(patient, dict) or patient.get("id") != patient_id:
        raise Refused("no patient_data")
    try:
        text = json.dumps(patient, ensure_ascii=False, allow_nan=False)
        text.encode("utf-8")
    except (ValueError, RecursionError):
        # Half a surrogate pair, NaN, or brackets too deep: Python reads more than it can write.
        raise Refused("no patient_data") from None
    names = (patient.get(name) for name in ("nachname", "vorname", "status"))
    return PatientData(*(name if isinstance(name, str) else None for name in names), text)


def _is_positive(value: object) -> bool:
    # In Python, True is an int.
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**53
