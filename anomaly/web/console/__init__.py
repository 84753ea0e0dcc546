"""What every page of the console stands on: templates, languages, times, files, the entries of the menu, cluster and time span.

Not here: the pages themselves (`anomaly/web/pages`, one file each) and what they show, which comes from the rooms below. Nothing
here or there writes HTML as text: templates escape all they are given, and the Content-Security-Policy lets no inline script
or style run if something should ever slip through.
"""
