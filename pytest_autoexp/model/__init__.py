"""What a task, a case, a trial and a result are: plain frozen data, standard library only."""
