"""The words of `wording` for templates."""

from django import template

from diagnosis import wording

register = template.Library()

register.filter("urgency_word", wording.urgency_word)
register.filter("urgency_headline", wording.urgency_headline)
register.filter("urgency_advice", wording.urgency_advice)
register.filter("status_word", wording.status_word)
register.filter("job_problem", wording.job_problem)
register.filter("body_site", wording.body_site_name)
register.filter("spot_title", wording.spot_title)
register.filter("image_type", wording.image_type_name)
register.simple_tag(wording.figures_mean_little, name="figures_mean_little")
register.simple_tag(wording.upload_refusal, name="upload_refusal")
register.simple_tag(wording.upload_limit_mb, name="upload_limit_mb")
