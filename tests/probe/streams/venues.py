VENUES = ()
