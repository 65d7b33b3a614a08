"""What people see: Grafana dashboards and alert rules as code, and the Overview without Grafana.

``boards`` says what each dashboard shows, ``render`` makes Grafana's JSON of it, which is committed
in the top-level folder ``dashboards/`` beside the provisioning files; in a wheel both lie here.
Only ``render`` needs grafana-foundation-sdk, an extra: whoever installs duckpost without it has the
JSON all the same.
"""
