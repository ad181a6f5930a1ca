"""People, and everything that decides who they are and what they may see."""

from accounts.models.consents import Consent, ConsentKind
from accounts.models.notices import Notice, NoticeGroup, NotificationChoice
from accounts.models.outbox import MailStatus, OutgoingMail
from accounts.models.people import Role, User, UserManager
from accounts.models.privacy import DataExport, ErasureReceipt, ExportStatus
from accounts.models.profiles import (
    DoctorLanguage,
    DoctorProfile,
    DoctorSpeciality,
    PatientProfile,
    Sex,
    SkinType,
    Speciality,
)
from accounts.models.relations import (
    AccessEvent,
    AccessLogGate,
    BreakGlass,
    CareRelation,
    Opened,
    Scope,
    SharedItem,
    Source,
)
from accounts.models.verification import (
    ApplicationEvent,
    ApplicationStatus,
    DoctorApplication,
    LicenceReminder,
)

__all__ = [
    "AccessEvent",
    "AccessLogGate",
    "ApplicationEvent",
    "ApplicationStatus",
    "BreakGlass",
    "CareRelation",
    "Consent",
    "ConsentKind",
    "DataExport",
    "DoctorApplication",
    "DoctorLanguage",
    "DoctorProfile",
    "DoctorSpeciality",
    "ErasureReceipt",
    "ExportStatus",
    "LicenceReminder",
    "MailStatus",
    "Notice",
    "NoticeGroup",
    "NotificationChoice",
    "Opened",
    "OutgoingMail",
    "PatientProfile",
    "Role",
    "Scope",
    "Sex",
    "SharedItem",
    "SkinType",
    "Source",
    "Speciality",
    "User",
    "UserManager",
]
