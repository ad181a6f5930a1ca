"""Who gets what, on every route of the project.

The seven columns: a visitor; Alice, whose things they are; Bob, another patient; Dr Chen, to whom Alice has
opened her record; Dr Diaz, whose share has ended; Dr Frey, who has one and whom nobody has verified; Eve, an
administrator who has broken no glass. One status alone is everybody's.
"""

TABLE = """
# Pages.
/                                                         GET                    200
                                                          POST,PATCH,DELETE      405
/about/                                                   GET                    200
                                                          POST,PATCH,DELETE      405
/about/classifier/                                        GET                    200
                                                          POST,PATCH,DELETE      405
/about/classifier/<release>/                              GET                    200
                                                          POST,PATCH,DELETE      405
/about/classifier/<release>/plots/<name>.svg              GET                    404
                                                          POST,PATCH,DELETE      405
/analyses/<public_id>/overlay/<code>/                     GET                    302 200 404 200 404 404 404
                                                          POST,PATCH,DELETE      405
/settings/                                                GET                    302 200 200 200 200 200 200
                                                          POST,PATCH,DELETE      405
/settings/profile/                                        GET                    302 200 200 200 200 200 200
                                                          POST                   302 422 422 302 302 422 422
                                                          PATCH,DELETE           405
/settings/language/                                       GET                    302 200 200 200 200 200 200
                                                          POST                   302 422 422 422 422 422 422
                                                          PATCH,DELETE           405
/settings/time-zone/                                      GET,PATCH,DELETE       405
                                                          POST                   302
/doctors/                                                 GET                    200
                                                          POST,PATCH,DELETE      405
/doctors/<public_id>/                                     GET                    200
                                                          POST,PATCH,DELETE      405
/doctors/<public_id>/photo/                               GET                    200
                                                          POST,PATCH,DELETE      405
/settings/practice/                                       GET                    302 403 403 200 200 200 403
                                                          POST                   302 403 403 422 422 422 403
                                                          PATCH,DELETE           405
/settings/licence/                                        GET                    302 403 403 200 200 200 403
                                                          POST,PATCH,DELETE      405
/settings/licence/apply/                                  GET                    302 403 403 200 200 302 403
                                                          POST                   302 403 403 422 422 302 403
                                                          PATCH,DELETE           405
/settings/licence/answer/                                 GET,POST               302 403 403 302 302 302 403
                                                          PATCH,DELETE           405
/settings/licence/withdraw/                               GET,PATCH,DELETE       405
                                                          POST                   302 403 403 302 302 302 403
/settings/licence/documents/<public_id>/                  GET                    302 404 404 404 404 200 200
                                                          POST,PATCH,DELETE      405
/settings/licence/documents/<public_id>/pages/<number>/   GET                    302 403 403 403 403 403 200
                                                          POST,PATCH,DELETE      405
/share/                                                   GET,POST               302 200 200 403 403 403 403
                                                          PATCH,DELETE           405
/settings/sharing/                                        GET                    302 200 200 403 403 403 403
                                                          POST,PATCH,DELETE      405
/settings/sharing/<public_id>/                            GET                    302 200 404 403 403 403 403
                                                          POST                   302 302 404 403 403 403 403
                                                          PATCH,DELETE           405
/settings/sharing/<public_id>/stop/                       GET,PATCH,DELETE       405
                                                          POST                   302 302 404 403 403 403 403
/settings/accesses/                                       GET                    302 200 200 403 403 403 403
                                                          POST,PATCH,DELETE      405
/consent/                                                 GET,POST               302 200 200 403 403 403 403
                                                          PATCH,DELETE           405
/settings/consents/                                       GET                    302 200 200 403 403 403 403
                                                          POST,PATCH,DELETE      405
/settings/consents/<kind>/                                GET                    302 200 200 403 403 403 403
                                                          POST,PATCH,DELETE      405
/settings/consents/<kind>/give/                           GET,PATCH,DELETE       405
                                                          POST                   302 302 302 403 403 403 403
/settings/consents/<kind>/withdraw/                       GET,PATCH,DELETE       405
                                                          POST                   302 302 302 403 403 403 403
/settings/data/                                           GET                    302 200 200 200 200 200 200
                                                          POST,PATCH,DELETE      405
/settings/data/copies/                                    GET,PATCH,DELETE       405
                                                          POST                   302
/settings/data/copies/state/                              GET                    302 200 200 200 200 200 200
                                                          POST,PATCH,DELETE      405
/settings/data/copies/<public_id>/                        GET                    302 200 404 404 404 404 404
                                                          POST,PATCH,DELETE      405
/settings/data/erase/                                     GET                    302 200 200 200 200 200 200
                                                          POST                   302 422 422 422 422 422 422
                                                          PATCH,DELETE           405
/erased/<public_id>/                                      GET                    200
                                                          POST,PATCH,DELETE      405
/analyses/                                                GET                    302 200 200 403 403 403 403
                                                          POST,PATCH,DELETE      405
/analyses/new/                                            GET                    302 200 200 403 403 403 403
                                                          POST                   302 422 422 403 403 403 403
                                                          PATCH,DELETE           405
/analyses/<public_id>/                                    GET                    302 200 404 200 404 404 404
                                                          POST,PATCH,DELETE      405
/analyses/<public_id>/state/                              GET                    302 200 404 200 404 404 404
                                                          POST,PATCH,DELETE      405
/analyses/<public_id>/image/                              GET                    302 200 404 200 404 404 404
                                                          POST,PATCH,DELETE      405
/analyses/<public_id>/thumbnail/                          GET                    302 200 404 200 404 404 404
                                                          POST,PATCH,DELETE      405
/patients/                                                GET                    302 403 403 200 200 200 200
                                                          POST,PATCH,DELETE      405
/patients/<public_id>/                                    GET                    302 403 403 200 404 404 404
                                                          POST,PATCH,DELETE      405

# Signing up and in, and what belongs to it (allauth).
/accounts/login/                                          GET,POST               200 302 302 302 302 302 302
                                                          PATCH,DELETE           405 200 200 200 200 200 200
/accounts/logout/                                         GET                    302 200 200 200 200 200 200
                                                          POST                   302
                                                          PATCH,DELETE           405
/accounts/inactive/                                       GET                    200
                                                          POST,PATCH,DELETE      405
/accounts/signup/                                         GET,POST               200 302 302 302 302 302 302
                                                          PATCH,DELETE           405 200 200 200 200 200 200
/accounts/reauthenticate/                                 GET,POST               302 200 200 200 200 200 200
                                                          PATCH,DELETE           302 405 405 405 405 405 405
/accounts/email/                                          GET                    302 200 200 200 200 200 200
                                                          POST                   302
                                                          PATCH,DELETE           302 405 405 405 405 405 405
/accounts/confirm-email/                                  GET                    200
                                                          POST,PATCH,DELETE      405
/accounts/password/change/                                GET,POST               302 200 200 200 200 200 200
                                                          PATCH,DELETE           302 405 405 405 405 405 405
/accounts/password/set/                                   GET,POST,PATCH,DELETE  302
/accounts/password/reset/                                 GET,POST               200
                                                          PATCH,DELETE           405
/accounts/login/code/confirm/                             GET,POST,PATCH,DELETE  302
/accounts/confirm-email/<key>/                            GET                    200
                                                          POST                   404
                                                          PATCH,DELETE           405
/accounts/password/reset/key/done/                        GET                    200
                                                          POST,PATCH,DELETE      405
/accounts/password/reset/key/<uidb36>-<key>/              GET,POST,PATCH,DELETE  200
/accounts/password/reset/done/                            GET                    200
                                                          POST,PATCH,DELETE      405
/accounts/2fa/                                            GET                    302 200 200 200 200 200 200
                                                          POST,PATCH,DELETE      302 405 405 405 405 405 405
/accounts/2fa/authenticate/                               GET,POST,PATCH,DELETE  302
/accounts/2fa/reauthenticate/                             GET,POST,PATCH,DELETE  302
/accounts/2fa/totp/activate/                              GET,POST               302 200 200 200 200 200 200
                                                          PATCH,DELETE           302 405 405 405 405 405 405
/accounts/2fa/totp/deactivate/                            GET,POST,PATCH,DELETE  302 404 404 404 404 404 404
/accounts/2fa/recovery-codes/                             GET                    302 404 404 404 404 404 404
                                                          POST,PATCH,DELETE      302 405 405 405 405 405 405
/accounts/2fa/recovery-codes/generate/                    GET                    302 200 200 200 200 200 200
                                                          POST                   302 302 200 200 200 200 200
                                                          PATCH,DELETE           302 405 405 405 405 405 405
/accounts/2fa/recovery-codes/download/                    GET,POST,PATCH,DELETE  302 404 404 404 404 404 404
/accounts/2fa/webauthn/                                   GET                    302 200 200 200 200 200 200
                                                          POST,PATCH,DELETE      302 405 405 405 405 405 405
/accounts/2fa/webauthn/add/                               GET,POST               302 200 200 200 200 200 200
                                                          PATCH,DELETE           302 405 405 405 405 405 405
/accounts/2fa/webauthn/reauthenticate/                    GET                    302 200 302 302 302 302 302
                                                          POST                   302
                                                          PATCH,DELETE           302 405 302 302 302 302 302
/accounts/2fa/webauthn/keys/<pk>/remove/                  GET                    302 200 404 404 404 404 404
                                                          POST,DELETE            302 302 404 404 404 404 404
                                                          PATCH                  302 405 405 405 405 405 405
/accounts/2fa/webauthn/keys/<pk>/edit/                    GET,POST               302 200 404 404 404 404 404
                                                          PATCH,DELETE           302 405 405 405 405 405 405
/accounts/2fa/webauthn/login/                             GET,POST               302
                                                          PATCH,DELETE           405 200 200 200 200 200 200
/accounts/devices/                                        GET                    302 200 200 200 200 200 200
                                                          POST                   302
                                                          PATCH,DELETE           302 405 405 405 405 405 405
/accounts/signup/doctor/                                  GET,POST               200 302 302 302 302 302 302
                                                          PATCH,DELETE           405 200 200 200 200 200 200

# The administration: everybody else is sent to the sign-in. It takes every other method than POST for GET.
/admin/                                                   GET,POST,PATCH,DELETE  302 302 302 302 302 302 200
/admin/login/                                             GET                    302 403 403 403 403 403 302
                                                          POST                   302 403 403 403 403 403 200
                                                          PATCH,DELETE           302 403 403 403 403 403 405
/admin/logout/                                            GET,PATCH,DELETE       302 302 302 302 302 302 405
                                                          POST                   302
/admin/password_change/                                   GET,POST               302 302 302 302 302 302 200
                                                          PATCH,DELETE           302 302 302 302 302 302 405
/admin/password_change/done/                              GET                    302 302 302 302 302 302 200
                                                          POST,PATCH,DELETE      302 302 302 302 302 302 405
/admin/autocomplete/                                      GET                    302 302 302 302 302 302 403
                                                          POST,PATCH,DELETE      302 302 302 302 302 302 405
/admin/jsi18n/                                            GET                    302 302 302 302 302 302 200
                                                          POST,PATCH,DELETE      302 302 302 302 302 302 405
/admin/r/<content_type_id>/<object_id>/                   GET,POST,PATCH,DELETE  302 302 302 302 302 302 404
/admin/accounts/user/<id>/password/                       GET,POST,PATCH,DELETE  302 302 302 302 302 302 403
/admin/accounts/user/                                     GET,POST,PATCH,DELETE  302 302 302 302 302 302 200
/admin/accounts/user/add/                                 GET,POST,PATCH,DELETE  302 302 302 302 302 302 200
/admin/accounts/user/<object_id>/history/                 GET,POST,PATCH,DELETE  302 302 302 302 302 302 200
/admin/accounts/user/<object_id>/delete/                  GET,POST,PATCH,DELETE  302 302 302 302 302 302 403
/admin/accounts/user/<object_id>/change/                  GET,POST,PATCH,DELETE  302 302 302 302 302 302 200
/admin/accounts/user/<object_id>/                         GET,POST,PATCH,DELETE  302
/admin/diagnosis/releasechange/                           GET,POST,PATCH,DELETE  302 302 302 302 302 302 200
/admin/diagnosis/releasechange/activate/<release>/        GET,POST,PATCH,DELETE  302 302 302 302 302 302 200
/admin/diagnosis/releasechange/along/<release>/           GET,POST,PATCH,DELETE  302 302 302 302 302 302 200
/admin/diagnosis/releasechange/end/                       GET,POST,PATCH,DELETE  302 302 302 302 302 302 200
/admin/diagnosis/releasechange/comparison/                GET,POST,PATCH,DELETE  302 302 302 302 302 302 200
/admin/diagnosis/releasechange/back/                      GET,PATCH,DELETE       302 302 302 302 302 302 405
                                                          POST                   302
/admin/accounts/breakglass/                               GET,POST,PATCH,DELETE  302 302 302 302 302 302 200
/admin/accounts/breakglass/add/                           GET,POST,PATCH,DELETE  302 302 302 302 302 302 200
/admin/accounts/breakglass/<object_id>/history/           GET,POST,PATCH,DELETE  302 302 302 302 302 302 200
/admin/accounts/breakglass/<object_id>/delete/            GET,POST,PATCH,DELETE  302 302 302 302 302 302 403
/admin/accounts/breakglass/<object_id>/change/            GET,PATCH,DELETE       302 302 302 302 302 302 200
                                                          POST                   302
/admin/accounts/breakglass/<object_id>/                   GET,POST,PATCH,DELETE  302
/admin/accounts/doctorapplication/                        GET,POST,PATCH,DELETE  302 302 302 302 302 302 200
/admin/accounts/doctorapplication/add/                    GET,POST,PATCH,DELETE  302 302 302 302 302 302 403
/admin/accounts/doctorapplication/<object_id>/history/    GET,POST,PATCH,DELETE  302 302 302 302 302 302 200
/admin/accounts/doctorapplication/<object_id>/delete/     GET,POST,PATCH,DELETE  302 302 302 302 302 302 403
/admin/accounts/doctorapplication/<object_id>/change/     GET,PATCH,DELETE       302 302 302 302 302 302 200
                                                          POST                   302 302 302 302 302 302 422
/admin/accounts/doctorapplication/<object_id>/            GET,POST,PATCH,DELETE  302
/admin/<app_label>/                                       GET,POST,PATCH,DELETE  302 302 302 302 302 302 200
/admin/<url>                                              GET,POST,PATCH,DELETE  302 302 302 302 302 302 404

# Visits, hours and what people are told.
/notices/                                                 GET                    302 200 200 200 200 200 200
                                                          POST,PATCH,DELETE      405
/notices/read/                                            GET,PATCH,DELETE       405
                                                          POST                   302
/notices/<public_id>/                                     GET,PATCH,DELETE       405
                                                          POST                   302 302 404 404 404 404 404
/settings/notifications/                                  GET                    302 200 200 200 200 200 200
                                                          POST                   302
                                                          PATCH,DELETE           405
/doctors/<public_id>/times/                               GET                    200
                                                          POST                   302 422 422 403 403 403 403
                                                          PATCH,DELETE           405
/doctors/<public_id>/wait/                                GET,PATCH,DELETE       405
                                                          POST                   302 302 302 403 403 403 403
/visits/<public_id>/book/                                 GET                    302 200 404 403 403 403 403
                                                          POST                   302 302 404 403 403 403 403
                                                          PATCH,DELETE           405
/visits/<public_id>/release/                              GET,PATCH,DELETE       405
                                                          POST                   302 302 404 403 403 403 403
/visits/<public_id>/move/                                 GET                    302 200 404 200 404 404 404
                                                          POST                   302 422 404 422 404 404 404
                                                          PATCH,DELETE           405
/visits/<public_id>/cancel/                               GET                    302 200 404 200 404 404 404
                                                          POST                   302 302 404 422 404 404 404
                                                          PATCH,DELETE           405
/visits/<public_id>/next/                                 GET,POST               302 403 404 302 404 404 404
                                                          PATCH,DELETE           405
/visits/<public_id>/wait/                                 GET,PATCH,DELETE       405
                                                          POST                   302 302 404 403 403 403 403
/waiting/                                                 GET                    302 200 200 403 403 403 403
                                                          POST,PATCH,DELETE      405
/waiting/<public_id>/offer/                               GET                    302 200 404 403 403 403 403
                                                          POST                   302 302 404 403 403 403 403
                                                          PATCH,DELETE           405
/waiting/<public_id>/decline/                             GET,PATCH,DELETE       405
                                                          POST                   302 302 404 403 403 403 403
/waiting/<public_id>/leave/                               GET,PATCH,DELETE       405
                                                          POST                   302 302 404 403 403 403 403
/visits/                                                  GET                    302 200 200 302 302 302 403
                                                          POST,PATCH,DELETE      405
/visits/<public_id>/                                      GET                    302 200 404 200 404 404 404
                                                          POST,PATCH,DELETE      405
/visits/<public_id>/confirm/                              GET,PATCH,DELETE       405
                                                          POST                   302 403 404 302 404 404 404
/visits/<public_id>/decline/                              GET,PATCH,DELETE       405
                                                          POST                   302 403 404 422 404 404 404
/visits/<public_id>/check-in/                             GET,PATCH,DELETE       405
                                                          POST                   302 403 404 302 404 404 404
/visits/<public_id>/complete/                             GET,PATCH,DELETE       405
                                                          POST                   302 403 404 302 404 404 404
/visits/<public_id>/no-show/                              GET,PATCH,DELETE       405
                                                          POST                   302 403 404 302 404 404 404
/visits/<public_id>/note/                                 GET                    302 403 404 200 404 404 404
                                                          POST                   302 403 404 302 404 404 404
                                                          PATCH,DELETE           405
/visits/<public_id>/files/                                GET,PATCH,DELETE       405
                                                          POST                   302 422 404 422 404 404 403
/visits/<public_id>/files/<file_id>/                      GET                    302 200 404 200 404 404 404
                                                          POST,PATCH,DELETE      405
/visits/<public_id>/files/<file_id>/remove/               GET,PATCH,DELETE       405
                                                          POST                   302 302 404 403 404 404 404
/visits/<public_id>/rating/                               GET,PATCH,DELETE       405
                                                          POST                   302 422 404 403 404 404 404
/visits/<public_id>/photo/                                GET,PATCH,DELETE       405
                                                          POST                   302 403 404 422 404 404 404
/visits/<public_id>/photo/<photo_id>/withdraw/            GET,PATCH,DELETE       405
                                                          POST                   302 403 404 302 404 404 404
/day/                                                     GET                    302 403 403 200 200 200 403
                                                          POST,PATCH,DELETE      405
/week/                                                    GET                    302 403 403 200 200 200 403
                                                          POST,PATCH,DELETE      405
/settings/hours/                                          GET                    302 403 403 200 200 200 403
                                                          POST                   302 403 403 409 302 302 403
                                                          PATCH,DELETE           405
/settings/hours/terms/                                    GET                    302 403 403 200 200 200 403
                                                          POST                   302 403 403 422 422 422 403
                                                          PATCH,DELETE           405
/settings/hours/exceptions/                               GET                    302 403 403 200 200 200 403
                                                          POST,PATCH,DELETE      405
/settings/hours/exceptions/add/                           GET                    302 403 403 200 200 200 403
                                                          POST                   302 403 403 422 422 422 403
                                                          PATCH,DELETE           405
/settings/hours/exceptions/<public_id>/remove/            GET,PATCH,DELETE       405
                                                          POST                   302 403 403 404 404 302 403
/settings/hours/preview/                                  GET                    302 403 403 200 200 200 403
                                                          POST,PATCH,DELETE      405
/settings/calendar/                                       GET,POST               302 200 200 200 200 200 403
                                                          PATCH,DELETE           405
/settings/calendar/revoke/                                GET,PATCH,DELETE       405
                                                          POST                   302 302 302 302 302 302 403
/calendar/<token>.ics                                     GET                    200
                                                          POST,PATCH,DELETE      405
/follow-ups/                                              GET                    302 403 403 200 200 200 200
                                                          POST,PATCH,DELETE      405
/follow-ups/<public_id>/close/                            GET                    302 403 403 200 404 404 403
                                                          POST                   302 403 403 422 404 404 403
                                                          PATCH,DELETE           405

# The API.
/api/v1/health/                                           GET                    503
                                                          POST,PATCH,DELETE      405
/api/v1/schema/                                           GET                    200
                                                          POST,PATCH,DELETE      405
/api/v1/me/                                               GET,PATCH              401 200 200 200 200 200 200
                                                          POST,DELETE            401 405 405 405 405 405 405
/api/v1/doctors/                                          GET                    200
                                                          POST,PATCH,DELETE      405
/api/v1/doctors/<public_id>/                              GET                    200
                                                          POST,PATCH,DELETE      405
/api/v1/shares/                                           GET                    401 200 200 403 403 403 403
                                                          POST                   401 400 400 403 403 403 403
                                                          PATCH,DELETE           401 405 405 403 403 403 403
/api/v1/shares/<public_id>/                               GET,POST,PATCH         401 405 405 403 403 403 403
                                                          DELETE                 401 204 404 403 403 403 403
/api/v1/me/accesses/                                      GET                    401 200 200 403 403 403 403
                                                          POST,PATCH,DELETE      401 405 405 403 403 403 403
/api/v1/me/consents/                                      GET                    401 200 200 403 403 403 403
                                                          POST,PATCH,DELETE      401 405 405 403 403 403 403
/api/v1/me/consents/<kind>/                               GET,DELETE             401 200 200 403 403 403 403
                                                          POST                   401 400 400 403 403 403 403
                                                          PATCH                  401 405 405 403 403 403 403
/api/v1/me/exports/                                       GET                    401 200 200 200 200 200 200
                                                          POST                   401 202 202 202 202 202 202
                                                          PATCH,DELETE           401 405 405 405 405 405 405
/api/v1/me/exports/<public_id>/                           GET                    401 200 404 404 404 404 404
                                                          POST,PATCH,DELETE      401 405 405 405 405 405 405
/api/v1/me/exports/<public_id>/file/                      GET                    401 200 404 404 404 404 404
                                                          POST,PATCH,DELETE      401 405 405 405 405 405 405
/api/v1/analyses/                                         GET                    401 200 200 200 200 200 200
                                                          POST                   401 415 415 403 403 403 403
                                                          PATCH,DELETE           401 405 405 405 405 405 405
/api/v1/analyses/<public_id>/                             GET                    401 200 404 200 404 404 404
                                                          POST,PATCH,DELETE      401 405 405 405 405 405 405
/api/v1/analyses/<public_id>/image/                       GET                    401 200 404 200 404 404 404
                                                          POST,PATCH,DELETE      401 405 405 405 405 405 405
/api/v1/patients/                                         GET                    401 403 403 200 200 200 200
                                                          POST,PATCH,DELETE      401 403 403 405 405 405 405
/api/v1/patients/<public_id>/                             GET                    401 403 403 200 404 404 404
                                                          POST,PATCH,DELETE      401 403 403 405 405 405 405
/api/v1/me/notices/                                       GET                    401 200 200 200 200 200 200
                                                          POST,PATCH,DELETE      401 405 405 405 405 405 405
/api/v1/me/notices/choices/                               GET,PATCH              401 200 200 200 200 200 200
                                                          POST,DELETE            401 405 405 405 405 405 405
/api/v1/me/notices/read/                                  GET,PATCH,DELETE       401 405 405 405 405 405 405
                                                          POST                   401 204 204 204 204 204 204
/api/v1/me/notices/<public_id>/read/                      GET,PATCH,DELETE       401 405 405 405 405 405 405
                                                          POST                   401 200 404 404 404 404 404
/api/v1/appointments/                                     GET                    401 200 200 200 200 200 200
                                                          POST                   401 400 400 403 403 403 403
                                                          PATCH,DELETE           401 405 405 405 405 405 405
/api/v1/appointments/<public_id>/                         GET                    401 200 404 200 404 404 404
                                                          POST,PATCH,DELETE      401 405 405 405 405 405 405
/api/v1/appointments/<public_id>/cancel/                  GET,PATCH,DELETE       401 405 405 405 405 405 405
                                                          POST                   401 200 404 400 404 404 404
/api/v1/appointments/<public_id>/check-in/                GET,PATCH,DELETE       401 405 405 405 405 405 405
                                                          POST                   401 403 404 409 404 404 404
/api/v1/appointments/<public_id>/complete/                GET,PATCH,DELETE       401 405 405 405 405 405 405
                                                          POST                   401 403 404 409 404 404 404
/api/v1/appointments/<public_id>/confirm/                 GET,PATCH,DELETE       401 405 405 405 405 405 405
                                                          POST                   401 403 404 409 404 404 404
/api/v1/appointments/<public_id>/decline/                 GET,PATCH,DELETE       401 405 405 405 405 405 405
                                                          POST                   401 403 404 400 404 404 404
/api/v1/appointments/<public_id>/no-show/                 GET,PATCH,DELETE       401 405 405 405 405 405 405
                                                          POST                   401 403 404 409 404 404 404
/api/v1/appointments/<public_id>/reschedule/              GET,PATCH,DELETE       401 405 405 405 405 405 405
                                                          POST                   401 400 404 400 404 404 404
/api/v1/appointments/<public_id>/note/                    GET                    401 200 404 200 404 404 404
                                                          PATCH                  401 403 404 200 404 404 404
                                                          POST,DELETE            401 405 405 405 405 405 405
/api/v1/appointments/<public_id>/note/sign/               GET,PATCH,DELETE       401 405 405 405 405 405 405
                                                          POST                   401 403 404 409 404 404 404
/api/v1/appointments/<public_id>/files/                   GET                    401 200 404 200 404 404 404
                                                          POST                   401 415 404 415 404 404 404
                                                          PATCH,DELETE           401 405 405 405 405 405 405
/api/v1/appointments/<public_id>/files/<file_id>/         GET                    401 200 404 200 404 404 404
                                                          POST,PATCH             401 405 405 405 405 405 405
                                                          DELETE                 401 204 404 403 404 404 404
/api/v1/appointments/<public_id>/rating/                  GET                    401 404 404 404 404 404 404
                                                          POST                   401 400 404 403 404 404 404
                                                          PATCH,DELETE           401 405 405 405 405 405 405
/api/v1/appointments/<public_id>/photo-requests/          GET                    401 200 404 200 404 404 404
                                                          POST                   401 403 404 400 404 404 404
                                                          PATCH,DELETE           401 405 405 405 405 405 405
/api/v1/appointments/<public_id>/photo-requests/<request_id>/ GET,POST,PATCH     401 405 405 405 405 405 405
                                                          DELETE                 401 403 404 204 404 404 404
/api/v1/appointments/<public_id>/next/                    GET,POST               401 403 404 400 404 404 404
                                                          PATCH,DELETE           401 405 405 405 405 405 405
/api/v1/appointments/<public_id>/room/                    GET                    401 404 404 404 404 404 404
                                                          POST,PATCH,DELETE      401 405 405 405 405 405 405
/api/v1/me/photo-requests/                                GET                    401 200 200 403 403 403 403
                                                          POST,PATCH,DELETE      401 405 405 403 403 403 403
/api/v1/me/calendar/                                      GET                    401 200 404 404 404 404 403
                                                          POST                   401 201 201 201 201 201 403
                                                          PATCH                  401 405 405 405 405 405 403
                                                          DELETE                 401 204 204 204 204 204 403
/api/v1/follow-ups/                                       GET                    401 403 403 200 200 200 200
                                                          POST,PATCH,DELETE      401 403 403 405 405 405 405
/api/v1/follow-ups/<public_id>/close/                     GET,PATCH,DELETE       401 403 403 405 405 405 403
                                                          POST                   401 403 403 400 404 404 403
/api/v1/doctors/<public_id>/slots/                        GET                    400
                                                          POST,PATCH,DELETE      405
/api/v1/me/hours/                                         GET,PATCH              401 403 403 200 200 200 403
                                                          POST,DELETE            401 403 403 405 405 405 403
/api/v1/me/hours/exceptions/                              GET                    401 403 403 200 200 200 403
                                                          POST                   401 403 403 400 400 400 403
                                                          PATCH,DELETE           401 403 403 405 405 405 403
/api/v1/me/hours/exceptions/<public_id>/                  GET,POST,PATCH         401 403 403 405 405 405 403
                                                          DELETE                 401 403 403 404 404 204 403
/api/v1/me/waitlist/                                      GET                    401 200 200 403 403 403 403
                                                          POST                   401 400 400 403 403 403 403
                                                          PATCH,DELETE           401 405 405 403 403 403 403
/api/v1/me/waitlist/<public_id>/                          GET,POST,PATCH         401 405 405 403 403 403 403
                                                          DELETE                 401 204 404 403 403 403 403
/api/v1/me/waitlist/<public_id>/decline/                  GET,PATCH,DELETE       401 405 405 403 403 403 403
                                                          POST                   401 204 404 403 403 403 403
/api/v1/me/waitlist/<public_id>/take/                     GET,PATCH,DELETE       401 405 405 403 403 403 403
                                                          POST                   401 200 404 403 403 403 403
/api/docs/                                                GET                    200
                                                          POST,PATCH,DELETE      405

# The API's sign-in (allauth).
/_allauth/app/v1/account/phone                            GET,POST,PATCH,DELETE  404
/_allauth/app/v1/auth/phone/verify                        GET,POST,PATCH,DELETE  404
/_allauth/app/v1/auth/phone/verify/resend                 GET,POST,PATCH,DELETE  404
/_allauth/app/v1/config                                   GET                    200
                                                          POST,PATCH,DELETE      405
/_allauth/app/v1/auth/session                             GET                    401 200 200 200 200 200 200
                                                          POST,PATCH             405
                                                          DELETE                 401
/_allauth/app/v1/auth/reauthenticate                      GET                    401 405 405 405 405 405 405
                                                          POST,PATCH,DELETE      401 400 400 400 400 400 400
/_allauth/app/v1/auth/code/confirm                        GET,POST,PATCH,DELETE  409
/_allauth/app/v1/auth/password/request                    GET                    405
                                                          POST,PATCH,DELETE      400
/_allauth/app/v1/auth/password/reset                      GET,POST,PATCH,DELETE  400
/_allauth/app/v1/auth/login                               GET                    405
                                                          POST,PATCH,DELETE      400
/_allauth/app/v1/auth/signup                              GET,PATCH,DELETE       405
                                                          POST                   400
/_allauth/app/v1/auth/email/verify                        GET,POST,PATCH,DELETE  400
/_allauth/app/v1/auth/email/verify/resend                 GET,PATCH,DELETE       405
                                                          POST                   409
/_allauth/app/v1/account/password/change                  GET                    401 405 405 405 405 405 405
                                                          POST,PATCH,DELETE      401 400 400 400 400 400 400
/_allauth/app/v1/account/email                            GET                    401 200 200 200 200 200 200
                                                          POST                   409 400 400 400 400 400 400
                                                          PATCH,DELETE           401 400 400 400 400 400 400
/_allauth/app/v1/auth/2fa/authenticate                    GET,POST,PATCH,DELETE  401
/_allauth/app/v1/auth/2fa/reauthenticate                  GET                    401 405 405 405 405 405 405
                                                          POST,PATCH,DELETE      401 400 400 400 400 400 400
/_allauth/app/v1/auth/webauthn/authenticate               GET,POST,PATCH,DELETE  401
/_allauth/app/v1/auth/webauthn/reauthenticate             GET                    401 200 200 200 200 200 200
                                                          POST                   401 400 400 400 400 400 400
                                                          PATCH,DELETE           401 405 405 405 405 405 405
/_allauth/app/v1/auth/webauthn/login                      GET                    200
                                                          POST                   400
                                                          PATCH,DELETE           405
/_allauth/app/v1/account/authenticators                   GET                    401 200 200 200 200 200 200
                                                          POST,PATCH,DELETE      401 405 405 405 405 405 405
/_allauth/app/v1/account/authenticators/totp              GET                    401 404 404 404 404 404 404
                                                          POST                   401 400 400 400 400 400 400
                                                          PATCH                  401 405 405 405 405 405 405
                                                          DELETE                 401 200 200 200 200 200 200
/_allauth/app/v1/account/authenticators/recovery-codes    GET                    401 404 404 404 404 404 404
                                                          POST                   401 200 400 400 400 400 400
                                                          PATCH,DELETE           401 405 400 400 400 400 400
/_allauth/app/v1/account/authenticators/webauthn          GET                    401 200 200 200 200 200 200
                                                          POST,DELETE            401 400 400 400 400 400 400
                                                          PATCH                  401 405 405 405 405 405 405
/_allauth/app/v1/auth/sessions                            GET                    401 200 200 200 200 200 200
                                                          POST,PATCH             401 405 405 405 405 405 405
                                                          DELETE                 401 400 400 400 400 400 400
/_allauth/app/v1/tokens/refresh                           GET                    405
                                                          POST,PATCH,DELETE      400
"""

# Doctors and administrators without a second factor: the way to one, what is public, and what is their own.
OPEN_WITHOUT_SECOND_FACTOR = frozenset(
    {
        "about/",
        "accounts/2fa/",
        "accounts/2fa/totp/activate/",
        "accounts/2fa/webauthn/",
        "accounts/2fa/webauthn/add/",
        "accounts/confirm-email/",
        "accounts/confirm-email/<key>/",
        "accounts/devices/",
        "accounts/email/",
        "accounts/inactive/",
        "accounts/logout/",
        "accounts/password/change/",
        "accounts/password/reset/",
        "accounts/password/reset/done/",
        "accounts/password/reset/key/<uidb36>-<key>/",
        "accounts/password/reset/key/done/",
        "accounts/reauthenticate/",
        "api/docs/",
        "api/v1/doctors/",
        "api/v1/doctors/<public_id>/",
        "api/v1/me/",
        "api/v1/me/exports/",
        "api/v1/schema/",
        "doctors/",
        "doctors/<public_id>/",
        "doctors/<public_id>/photo/",
        "erased/<public_id>/",
        "settings/",
        "settings/data/",
        "settings/data/copies/state/",
        "settings/data/erase/",
        "settings/language/",
        "settings/licence/",
        "settings/licence/apply/",
        "settings/practice/",
        "settings/profile/",
    }
)
