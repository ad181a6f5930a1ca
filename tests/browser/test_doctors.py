"""Looking for a doctor near by, and a licence on its way through the hands of two people."""

import re

from playwright.sync_api import expect

from tests.accounts.licences import a_pdf
from tests.browser import axe
from tests.browser.visits import Visits


def test_near_me_sends_a_rounded_place(visits: Visits) -> None:
    page = visits.open(
        permissions=["geolocation"], geolocation={"latitude": 47.376913, "longitude": 8.541694}
    )
    page.goto("/doctors/")
    page.get_by_text("Near a place").click()
    page.get_by_role("button", name="Use where I am").click()
    page.wait_for_url("**/doctors/?latitude=47.38&longitude=8.54")
    expect(page.get_by_label("Latitude")).to_have_value("47.38")


def test_who_does_not_tell_where_they_are_can_type_it(visits: Visits) -> None:
    page = visits.open()
    page.goto("/doctors/")
    page.get_by_text("Near a place").click()
    page.get_by_role("button", name="Use where I am").click()
    expect(page.get_by_role("status").filter(has_text="You can type the coordinates")).to_be_visible()
    page.get_by_label("Latitude").fill("47,376913")
    page.get_by_label("Longitude").fill("8.541694")
    page.get_by_role("button", name="Search").click()
    page.wait_for_url("**/doctors/?latitude=47.38&longitude=8.54")


def test_a_licence_is_handed_in_and_verified_beside_its_document(visits: Visits) -> None:
    doctor = visits.open("diaz")
    doctor.goto("/settings/licence/apply/")
    doctor.get_by_label("Licence number").fill("ES 2031")
    doctor.get_by_label("Issuing authority").fill("Consejo General")
    doctor.get_by_label("Country").select_option("ES")
    doctor.get_by_label("Valid until").fill("2099-12-31")
    document = {"name": "licence.pdf", "mimeType": "application/pdf", "buffer": a_pdf(pages=2)}
    doctor.get_by_label("Document").set_input_files(document)  # type: ignore[arg-type]
    doctor.get_by_role("button", name="Hand in").click()
    expect(doctor.get_by_text("Your licence is with us")).to_be_visible()

    admin = visits.open("eve")
    admin.goto("/admin/accounts/doctorapplication/")
    admin.get_by_role("link", name=re.compile("Díaz")).first.click()
    for number in (1, 2):
        picture = admin.get_by_role("img", name=f"Page {number} of the document")
        picture.scroll_into_view_if_needed()
        expect(picture).to_have_js_property("complete", True)
        expect(picture).to_have_js_property("naturalHeight", 1600)
    assert axe.violations(admin) == []
    with visits.expected("status of 422"):
        admin.get_by_role("button", name="Ask for more").click()
        expect(admin.get_by_role("alert")).to_contain_text("Write the reason: the doctor reads it.")
    admin.get_by_role("button", name="Verify").click()
    expect(admin.get_by_role("heading", level=1)).to_have_text("Doctors' applications")

    doctor.reload()
    expect(doctor.get_by_text("You are verified")).to_be_visible()
