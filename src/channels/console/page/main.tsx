import { createRoot } from 'react-dom/client';
import { StrictMode } from 'react';
import { App } from './app';

const root = document.getElementById('root');
if (!root) throw new Error('the page has no root');
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
