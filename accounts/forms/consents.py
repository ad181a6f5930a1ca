from django import forms
from django.utils.translation import gettext_lazy as _


class ConsentForm(forms.Form):
    agree = forms.BooleanField(label=_("I agree to this"))
    # Of the text on the page; a page that stood open for long may show an old one.
    version = forms.IntegerField(widget=forms.HiddenInput, required=False)
