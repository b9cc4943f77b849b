"""The pages for people; every one but the sign-in asks who is there first."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path, re_path

from fsf.web.forms import SignInForm
from fsf.web.views import account, backtests, checkpoints, coverage, crises, evaluations, frameworks, levels, overview, tokens, underway

app_name = "web"
urlpatterns = [
    path("", overview.overview, name="overview"),
    path(
        "sign-in/",
        LoginView.as_view(template_name="accounts/sign_in.html", authentication_form=SignInForm, redirect_authenticated_user=True),
        name="sign-in",
    ),
    path("sign-out/", LogoutView.as_view(), name="sign-out"),
    path("account/password/", account.PasswordChange.as_view(), name="password"),
    path("tokens/", tokens.token_list, name="token-list"),
    path("tokens/new/", tokens.token_new, name="token-new"),
    path("tokens/<str:key>/rotate/", tokens.token_rotate, name="token-rotate"),
    path("tokens/<str:key>/revoke/", tokens.token_revoke, name="token-revoke"),
    path("levels/", levels.level_list, name="level-list"),
    path("levels/<str:key>/", levels.level_detail, name="level-detail"),
    re_path(r"^levels/(?P<key>[^/]+)/results\.(?P<form>csv|json)$", levels.level_results, name="level-results"),
    re_path(r"^levels/(?P<key>[^/]+)/forecast\.(?P<form>csv|json)$", levels.level_forecast, name="level-forecast"),
    path("levels/<str:key>/statuses/<int:status_id>/sign-down/", levels.level_sign_down, name="level-sign-down"),
    path("levels/<str:key>/runs/<int:run_id>/withdraw/", levels.level_withdraw_run, name="level-withdraw-run"),
    path("frameworks/new/", frameworks.framework_draft, name="framework-draft"),
    path("frameworks/<str:key>/", frameworks.framework_detail, name="framework-detail"),
    path("frameworks/<str:key>/backtest/", backtests.framework_backtest, name="framework-backtest"),
    path("frameworks/<str:key>/publish/", frameworks.framework_publish, name="framework-publish"),
    path("checkpoints/<path:slug>/", checkpoints.checkpoint_detail, name="checkpoint-detail"),
    path("equivalences/<int:checkpoint_id>/sign/", checkpoints.equivalence_sign, name="equivalence-sign"),
    path("equivalences/<int:equivalence_id>/end/", checkpoints.equivalence_end, name="equivalence-end"),
    path("determinations/<int:checkpoint_id>/<int:evaluation_id>/", checkpoints.determination, name="determination"),
    path("evaluations/<int:evaluation_id>/flag/", evaluations.evaluation_flag, name="evaluation-flag"),
    path("evaluations/<path:key>/", evaluations.evaluation_detail, name="evaluation-detail"),
    path("underway/", underway.underway, name="underway"),
    path("coverage/", coverage.coverage, name="coverage"),
    path("crises/", crises.crisis_list, name="crisis-list"),
    path("crises/<int:crisis_id>/", crises.crisis_detail, name="crisis-detail"),
    path("crises/<int:crisis_id>/<slug:action>/", crises.crisis_act, name="crisis-act"),
    path("crises/<int:crisis_id>/items/<int:item_id>/<slug:action>/", crises.item_act, name="crisis-item-act"),
]
